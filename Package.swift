// swift-tools-version: 6.2
// Moonrill: Lua scripts that stream language models. ARCHITECTURE.md draws the targets and the
// arrows between them; scripts/check holds the imports to that picture.

import PackageDescription

let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// LuaVM and Transport hold the pointers of two C libraries: every unsafe line there is marked.
let guarded: [SwiftSetting] = house + [.strictMemorySafety()]

let package = Package(
    name: "moonrill",
    products: [
        .library(name: "Moonrill", targets: ["Moonrill"]),
        .executable(name: "moonrill", targets: ["MoonrillCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        // C and C++: two system libraries, and the shims.
        .systemLibrary(name: "CLua", pkgConfig: "lua5.4", providers: [.apt(["liblua5.4-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "CProcess"),
        .target(name: "CLuaShim", dependencies: ["CLua", "CProcess"]),
        .target(name: "CFrameScan"),
        .target(name: "CSimdJSON", linkerSettings: [.linkedLibrary("simdjson")]),

        // Bytes -> frames -> events.
        .target(name: "Wire", dependencies: ["CFrameScan", "CSimdJSON"], swiftSettings: house),
        .target(name: "Dialects", dependencies: ["Wire"], swiftSettings: house),

        // The two guarded rooms.
        .target(name: "LuaVM", dependencies: ["CLua", "CLuaShim"], swiftSettings: guarded),
        .target(name: "Transport", dependencies: ["CCurl", "Wire"], swiftSettings: guarded),

        // The request, and the script.
        .target(name: "Engine", dependencies: ["Transport", "Dialects", "Wire"], swiftSettings: house),
        .target(
            name: "Scripting", dependencies: ["LuaVM", "Engine", "Dialects", "Wire"], resources: [.embedInCode("Lua")],
            swiftSettings: house),

        // What a user holds.
        .target(
            name: "Moonrill",
            dependencies: [
                "Scripting", "Engine", "Dialects", "Wire", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: house),
        .target(
            name: "MoonrillMock",
            dependencies: [
                "Wire",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: house),
        .executableTarget(
            name: "MoonrillCommand",
            dependencies: [
                "Moonrill", "MoonrillMock", "Dialects", "Wire", "CProcess",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: house),

        // A program that embeds the library; MoonrillTests runs it.
        .executableTarget(
            name: "EmbedExample", dependencies: ["Moonrill"], path: "examples/swift",
            swiftSettings: house),

        // Tests: one target a source target, and what they share.
        .target(
            name: "Support", dependencies: ["Wire"], path: "Tests/Support", exclude: ["Servers"],
            swiftSettings: house),
        .testTarget(name: "WireTests", dependencies: ["Wire", "Support"], swiftSettings: house),
        .testTarget(name: "DialectsTests", dependencies: ["Dialects", "Wire", "Support"], swiftSettings: house),
        .testTarget(name: "LuaVMTests", dependencies: ["LuaVM", "Support"], swiftSettings: house),
        .testTarget(name: "TransportTests", dependencies: ["Transport", "Wire", "Support"], swiftSettings: house),
        .testTarget(
            name: "EngineTests", dependencies: ["Engine", "Transport", "Dialects", "Wire", "Support"],
            swiftSettings: house),
        .testTarget(
            name: "MoonrillMockTests", dependencies: ["MoonrillMock", "Dialects", "Wire", "Support"],
            swiftSettings: house),
        .testTarget(
            name: "ScriptingTests",
            dependencies: [
                "Scripting", "LuaVM", "Engine", "Dialects", "Wire", "Moonrill", "MoonrillMock", "Support",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: house),
        .testTarget(
            name: "MoonrillTests",
            dependencies: ["Moonrill", "EmbedExample", "MoonrillMock", "Engine", "Dialects", "Wire", "Support"],
            swiftSettings: house),
        // Through the real binary and real sockets.
        .testTarget(
            name: "CommandTests", dependencies: ["MoonrillCommand", "MoonrillMock", "Wire", "Support"],
            exclude: ["Language"], swiftSettings: house),
        .testTarget(
            name: "ExampleTests", dependencies: ["MoonrillCommand", "Support"], swiftSettings: house),
    ]
)
