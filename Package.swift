// swift-tools-version: 6.2
// Moonrill: Lua scripts that stream language models. ARCHITECTURE.md has the diagram of
// the targets; scripts/check compares each import with it.

import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// LuaVM, Transport and SQLite hold the pointers of C libraries: every unsafe line there is marked.
let guarded: [SwiftSetting] = settings + [.strictMemorySafety()]

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
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    ],
    targets: [
        // C and C++: system libraries, and shims.
        .systemLibrary(name: "CLua", pkgConfig: "lua5.4", providers: [.apt(["liblua5.4-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        // Its C interface; the target SQLite links the archive, so that a process without a store does not load a library.
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
        .target(name: "CProcess"),
        .target(name: "CLuaShim", dependencies: ["CLua", "CProcess"]),
        .target(name: "CFrameMatch"),
        .target(name: "CSimdJSON", linkerSettings: [.linkedLibrary("simdjson")]),

        // Bytes -> frames -> events.
        .target(
            name: "Base",
            dependencies: [
                "CSimdJSON", .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: settings),
        .target(name: "JSON", dependencies: ["Base", "CSimdJSON"], swiftSettings: settings),
        .target(name: "JSONSchema", dependencies: ["Base", "JSON"], swiftSettings: settings),
        .target(name: "HTTP", dependencies: ["Base", "JSON"], swiftSettings: settings),
        .target(name: "Chat", dependencies: ["Base", "JSON", "HTTP"], swiftSettings: settings),
        .target(
            name: "Formats", dependencies: ["CFrameMatch", "Base", "JSON", "JSONSchema", "HTTP", "Chat"],
            swiftSettings: settings),
        .target(
            name: "Providers", dependencies: ["Base", "JSON", "HTTP", "Chat", "Formats"], swiftSettings: settings),

        // Guarded: they hold the pointers of three C libraries.
        .target(name: "LuaVM", dependencies: ["CLua", "CLuaShim"], swiftSettings: guarded),
        .target(
            name: "Transport",
            dependencies: ["CCurl", "Base", "HTTP", .product(name: "DequeModule", package: "swift-collections")],
            swiftSettings: guarded),

        .target(
            name: "SQLite", dependencies: ["CSQLite"], swiftSettings: guarded,
            linkerSettings: [.linkedLibrary(":libsqlite3.a"), .linkedLibrary("m")]),

        // A broker in front of another one: the store of requests.
        .target(
            name: "Journal",
            dependencies: [
                "SQLite", "Base", "JSON", "HTTP", "Chat", .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings),

        // The record of a whole run, and a run against it.
        .target(name: "Recording", dependencies: ["Base", "JSON", "HTTP", "Chat"], swiftSettings: settings),

        // The request, and the script.
        .target(
            name: "Engine",
            dependencies: [
                "Base", "JSON", "HTTP", "Chat", "Formats", "Transport",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings),
        .target(
            name: "Script",
            dependencies: ["Base", "JSON", "JSONSchema", "HTTP", "Chat", "Formats", "Providers", "LuaVM"],
            resources: [.embedInCode("Lua")], swiftSettings: settings),

        // Scripts behind HTTP.
        .target(
            name: "Server",
            dependencies: [
                "Base", "JSON", "HTTP", "Chat", "Formats",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            resources: [.embedInCode("Page/page.html")], swiftSettings: settings),

        // Products.
        .target(
            name: "Moonrill",
            dependencies: [
                "Base", "JSON", "HTTP", "Chat", "Formats", "Providers", "Engine", "Script", "Server", "Journal",
                "Recording",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .target(
            name: "ProviderSimulator",
            dependencies: [
                "Base", "JSON", "HTTP", "Chat", "Formats", "Recording",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "MoonrillCommand",
            dependencies: [
                "Base", "JSON", "HTTP", "Chat", "Formats", "Providers", "Journal", "Moonrill", "ProviderSimulator",
                "CProcess", .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [.embedInCode("Lua")], swiftSettings: settings),

        // A program that embeds the library; MoonrillTests runs it.
        .executableTarget(
            name: "EmbedExample", dependencies: ["Moonrill"], path: "examples/swift", swiftSettings: settings),

        // Tests: one target a source target, and what they share.
        .target(
            name: "Support", dependencies: ["Base", "JSON", "HTTP"], path: "Tests/Support", exclude: ["Servers"],
            swiftSettings: settings),
        .testTarget(name: "BaseTests", dependencies: ["Base", "Support"], swiftSettings: settings),
        .testTarget(name: "JSONTests", dependencies: ["Base", "JSON", "HTTP", "Support"], swiftSettings: settings),
        .testTarget(name: "JSONSchemaTests", dependencies: ["JSON", "JSONSchema", "Support"], swiftSettings: settings),
        .testTarget(name: "HTTPTests", dependencies: ["Base", "JSON", "HTTP", "Support"], swiftSettings: settings),
        .testTarget(
            name: "ChatTests", dependencies: ["Base", "JSON", "HTTP", "Chat", "Support"], swiftSettings: settings),
        .testTarget(
            name: "FormatsTests", dependencies: ["Base", "JSON", "HTTP", "Chat", "Formats", "Providers", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "ProvidersTests", dependencies: ["Base", "JSON", "HTTP", "Chat", "Formats", "Providers", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "RecordingTests", dependencies: ["Base", "JSON", "HTTP", "Chat", "Recording", "Support"],
            swiftSettings: settings),
        .testTarget(name: "LuaVMTests", dependencies: ["LuaVM", "Support"], swiftSettings: settings),
        .testTarget(
            name: "TransportTests", dependencies: ["Base", "HTTP", "Transport", "Support"], swiftSettings: settings),
        // A file system layer of SQLite whose operations fail on demand.
        .target(name: "CFaultVFS", dependencies: ["CSQLite"], path: "Tests/CFaultVFS"),
        .testTarget(name: "SQLiteTests", dependencies: ["SQLite", "CFaultVFS", "Support"], swiftSettings: settings),
        .testTarget(
            name: "JournalTests",
            dependencies: ["Base", "JSON", "HTTP", "Chat", "SQLite", "Journal", "CFaultVFS", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "EngineTests",
            dependencies: ["Base", "JSON", "HTTP", "Chat", "Formats", "Providers", "Transport", "Engine", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Base", "JSON", "HTTP", "Chat", "Formats", "Server", "Support",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ProviderSimulatorTests",
            dependencies: ["Base", "JSON", "HTTP", "Chat", "Formats", "Providers", "ProviderSimulator", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "ScriptTests",
            dependencies: [
                "Base", "JSON", "JSONSchema", "HTTP", "Chat", "Formats", "Providers", "Engine", "LuaVM", "Script",
                "Moonrill", "ProviderSimulator", "ScriptSupport", "Support",
            ],
            swiftSettings: settings),
        // What tests that run scripts share.
        .target(
            name: "ScriptSupport",
            dependencies: [
                "JSON", "HTTP", "Moonrill", "ProviderSimulator", "Support",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/ScriptSupport", swiftSettings: settings),
        // Runs Tests/Lua.
        .testTarget(
            name: "LuaTests",
            dependencies: ["JSON", "Moonrill", "ProviderSimulator", "ScriptSupport", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "MoonrillTests",
            dependencies: [
                "Base", "JSON", "HTTP", "Chat", "Formats", "Providers", "Engine", "Journal", "Moonrill", "EmbedExample",
                "ProviderSimulator", "Support",
            ],
            swiftSettings: settings),
        // Through the real binary and real sockets.
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "MoonrillCommand", "Base", "JSON", "HTTP", "Formats", "SQLite", "ProviderSimulator", "Support",
            ],
            exclude: ["Golden"],
            swiftSettings: settings),
        .testTarget(
            name: "ExampleTests", dependencies: ["MoonrillCommand", "Formats", "Support"], swiftSettings: settings),
    ]
)
