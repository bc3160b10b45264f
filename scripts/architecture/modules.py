"""The modules: what each target may import, and where C and pointers are allowed. Data only.

Every exception is listed with its reason, so that a new one is visible in a review.
"""

# Target -> the targets that it may import. ARCHITECTURE.md has the same list; rule `diagram` compares them.
ARROWS = {
    "CLua": [],
    "CCurl": [],
    "CFrameMatch": [],
    "CSimdJSON": [],
    "CSQLite": [],
    "CProcess": [],
    "CLuaShim": ["CLua", "CProcess"],
    "Base": ["CSimdJSON"],
    "JSON": ["Base", "CSimdJSON"],
    "JSONSchema": ["Base", "JSON"],
    "HTTP": ["Base", "JSON"],
    "Chat": ["Base", "JSON", "HTTP"],
    "Formats": ["CFrameMatch", "Base", "JSON", "JSONSchema", "HTTP", "Chat"],
    "Providers": ["Base", "JSON", "HTTP", "Chat", "Formats"],
    "LuaVM": ["CLua", "CLuaShim"],
    "Transport": ["CCurl", "Base", "HTTP"],
    "SQLite": ["CSQLite"],
    "Journal": ["SQLite", "Base", "JSON", "HTTP", "Chat"],
    "Recording": ["Base", "JSON", "HTTP", "Chat"],
    "Engine": ["Base", "JSON", "HTTP", "Chat", "Formats", "Transport"],
    "Script": ["Base", "JSON", "JSONSchema", "HTTP", "Chat", "Formats", "Providers", "LuaVM"],
    "Server": ["Base", "JSON", "HTTP", "Chat", "Formats"],
    "Moonrill": [
        "Base", "JSON", "HTTP", "Chat", "Formats", "Providers", "Engine", "Script", "Server", "Journal",
        "Recording",
    ],
    "ProviderSimulator": ["Base", "JSON", "HTTP", "Chat", "Formats", "Recording"],
    # Journal: the commands that read the store, which a program that embeds the library has no use for.
    "MoonrillCommand": [
        "Base", "JSON", "HTTP", "Chat", "Formats", "Providers", "Journal", "Moonrill", "ProviderSimulator", "CProcess",
    ],
    "EmbedExample": ["Moonrill"],
}

# Modules of other packages, by the target that may import them.
PACKAGES = {
    "Base": ["DequeModule", "HeapModule"],
    "Transport": ["DequeModule"],
    "Engine": ["DequeModule"],
    "Journal": ["DequeModule"],
    "Server": ["DequeModule", "Logging", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOHTTP2", "NIOSSL", "NIOTLS", "NIOWebSocket"],
    "Moonrill": ["Logging"],
    "ProviderSimulator": ["NIOCore", "NIOPosix", "NIOHTTP1"],
    "MoonrillCommand": ["ArgumentParser", "Logging"],
}

# Modules that every target may import. FoundationEssentials is linked in any case, by argument-parser.
ANYWHERE = ["FoundationEssentials"]

# System modules: module -> {target or file: reason}. Nothing imports full Foundation: with ICU a static binary has 61 MB
# instead of 23 MB.
SYSTEM = {
    "Glibc": {
        "Sources/Base/ByteScan.swift": "memchr, memcmp: finding line ends at the speed of the C library",
        "Sources/Base/SystemClock.swift": "clock_gettime",
        "LuaVM": "C string and memory functions at the Lua boundary",
        "Transport": "epoll, eventfd, timerfd, and C memory at the libcurl boundary",
        "SQLite": "creating a database file with its mode, the text of a system error",
        "Engine": "the limit on open files",
        "Journal": "the lock of a job, the folder of the store, the pid",
        "Recording": "the file of a recording, and the clock of the process",
        "Script": "exit codes, files and folders, writes to standard output",
        "Moonrill": "the mailbox's eventfd and the host's clocks",
        "Server": "files that are served, and sockets before NIO has them",
        "ProviderSimulator": "clocks, and the signals that end the mock",
        "MoonrillCommand": "exit codes, signals, isatty, reading the script's file",
    },
    "Synchronization": {
        "Engine": "the mailbox, the only Sendable type below the library",
        "Sources/Transport/NameCheck.swift": "the result of the resolver thread",
        "Moonrill": "the bridge from async callers to the one thread",
        "Journal": "what waits for the queues of the store, and their reports",
        "Sources/MoonrillCommand/StandardError.swift": "the state of standard error, which several threads write to",
        "Server": "the mailbox between the network's thread and the script's, and the certificate in use",
        "ProviderSimulator": "counters shared by NIO's threads",
    },
    "Dispatch": {
        "Moonrill": "the thread of ChatClient is a dispatch queue: no Foundation, no pointers",
        "Journal": "the two queues of a store",
        "Sources/Base/SanitizedMutex.swift": "a lock that the thread sanitizer recognizes, only in its builds",
    },
    "Foundation": {},
}

# Modules that tests may import besides their own target and its dependencies.
TEST_MODULES = ["Testing", "Support", "Foundation", "Glibc", "Synchronization"]
# Test target -> further modules.
TEST_EXTRAS = {
    "SQLiteTests": ["CFaultVFS"],
    "JournalTests": ["CFaultVFS"],
    "TransportTests": ["ProviderSimulator"],
    "EngineTests": ["ProviderSimulator", "Providers"],
    "FormatsTests": ["Providers"],
    "ScriptTests": ["Engine", "Moonrill", "ProviderSimulator", "ScriptSupport"],
    "ScriptSupport": ["HTTP", "JSON", "Moonrill", "ProviderSimulator", "Logging"],
    "LuaTests": ["JSON", "Moonrill", "ProviderSimulator", "ScriptSupport"],
    "MoonrillTests": ["ProviderSimulator", "Logging"],
    "ProviderSimulatorTests": ["Chat", "Formats", "Providers", "NIOCore", "NIOPosix", "NIOHTTP1"],
    "CommandTests": ["Moonrill", "ProviderSimulator", "Base", "JSON", "HTTP", "Formats", "SQLite"],
    "ExampleTests": ["Moonrill", "ProviderSimulator", "Formats"],
    "Support": ["JSON", "Formats"],
}

# C headers: prefix of the #include -> the targets whose C sources may include them.
HEADERS = {
    "lua": ["CLua", "CLuaShim", "CModules"],
    "lauxlib": ["CLua", "CLuaShim", "CModules"],
    "curl/": ["CCurl"],
    "simdjson": ["CSimdJSON"],
    "sqlite3": ["CSQLite", "CFaultVFS"],
}

# Names of C interfaces: (pattern, the targets that may use them, description).
C_NAMES = [
    # CModules: Lua modules in C that tests load.
    (r"\b(?:lua|luaL)_\w+|\bluaopen_\w+", ["CModules", "CLua", "CLuaShim", "LuaVM"], "the Lua C API"),
    (r"\bmr_\w+", ["CLuaShim", "LuaVM"], "the Lua shim"),
    (r"\bmp_\w+", ["CProcess", "CLuaShim", "MoonrillCommand"], "the process"),
    (r"\bcurl_\w+|\bCURL(?:OPT|INFO|MOPT|M|E|PAUSE|AUTH|PROTO)_\w+", ["CCurl", "Transport"], "libcurl"),
    (r"\bsimdjson::", ["CSimdJSON"], "simdjson"),
    (r"\b(?:c?sqlite3?_|SQLITE_)\w+", ["CSQLite", "CFaultVFS", "SQLite"], "the C interface of SQLite"),
    # CFaultVFS: only for tests.
    (r"\b(?:fvfs|FVFS)_\w+", ["CFaultVFS", "SQLite", "Journal"], "the file system with faults"),
]

# Targets with public declarations. In the other targets, only types that EXPORTS names are public.
PUBLIC_TARGETS = ["Moonrill", "EmbedExample"]
EXPORTS = "Sources/Moonrill/Exports.swift"
# Generic types of the reactor's inner loops. Swift specializes inlinable functions of other modules only if they are public;
# unspecialized, an access costs thousands of instructions.
SPECIALIZED = {"SequentialTable", "TimerHeap"}

# Targets whose Swift code may use pointers. They are built with strict memory safety, which requires `unsafe` at each
# use.
POINTER_TARGETS = ["LuaVM", "Transport", "SQLite"]
# Other files that may use pointers: path -> reason.
POINTER_FILES = {
    "Sources/JSON/JSONReader.swift": "owns the parser of the simdjson shim",
    "Sources/JSON/JSONNode.swift": "walks the result of the simdjson shim, each pointer inside one expression",
    "Sources/Formats/Support/TextTemplate.swift": "passes templates and bytes to CFrameMatch, each pointer inside one expression",
    "Sources/Base/ByteScan.swift": "memchr, memcmp and UTF-8 validation over spans, each pointer inside one expression",
}
