// The clocks of the operating system.

internal import Glibc

/// Reads the system's clocks.
package enum SystemClock {
    /// Monotonic seconds (CLOCK_MONOTONIC) since an arbitrary origin.
    package static func now() -> Double { seconds(of: CLOCK_MONOTONIC) }

    /// Seconds since 1970 (CLOCK_REALTIME).
    package static func unixTime() -> Double { seconds(of: CLOCK_REALTIME) }

    private static func seconds(of clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
