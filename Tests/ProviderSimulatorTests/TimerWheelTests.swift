// The pacer of a server that cannot keep up with its schedule.

import NIOCore
import NIOPosix
import Testing

@testable import ProviderSimulator

@Suite struct TimerWheelTests {
    /// Work that takes longer than it has: it is due again before it is done. By a schedule, or by giving way.
    private final class Overworked: TimerWheel.Sleeper {
        var dueTick: Int64 = 0
        var isEnded = false
        private let pacer: TimerWheel
        private let yields: Bool
        private let begun: EventLoopPromise<Void>

        init(_ pacer: TimerWheel, yields: Bool, begun: EventLoopPromise<Void>) {
            self.pacer = pacer
            self.yields = yields
            self.begun = begun
        }

        func wake(_ now: NIODeadline) {
            begun.succeed()
            let end = NIODeadline.now() + .milliseconds(3)
            while NIODeadline.now() < end {}
            if yields { pacer.yield(self) } else { pacer.sleep(self, until: now) }
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [false, true]) func leavesRoomForNewConnections(yields: Bool) async throws
    {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let others = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let (accepted, begun) = (loop.makePromise(of: Void.self), loop.makePromise(of: Void.self))
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                accepted.succeed()
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let work = try await loop.submit {
            let pacer = TimerWheel(loop: loop)
            let work = Overworked(pacer, yields: yields, begun: begun)
            pacer.sleep(work, until: .now())
            return NIOLoopBound(work, eventLoop: loop)
        }.get()
        try await begun.futureResult.get()
        let client = try await ClientBootstrap(group: others).connect(to: try #require(server.localAddress)).get()
        let patience = loop.scheduleTask(in: .milliseconds(5_000)) {
            accepted.fail(ChannelError.connectTimeout(.milliseconds(5_000)))
        }
        await #expect(throws: Never.self) { try await accepted.futureResult.get() }
        patience.cancel()
        try await loop.submit { work.value.isEnded = true }.get()
        try await client.close()
        try await others.shutdownGracefully()
        try await group.shutdownGracefully()
    }
}
