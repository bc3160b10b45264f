// HTTP dates and timestamps, written and parsed.

import HTTP
import Testing

@Suite struct HTTPDateTests {
    @Test(arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37"),
        (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00"),
        (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT", "2000-02-29T12:34:56"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT", "2100-02-28T23:59:59"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59"),
    ]) func texts(seconds: Int, date: String, timestamp: String) {
        #expect(HTTPDate.text(seconds) == date)
        #expect(HTTPDate.timestamp(seconds) == timestamp)
        #expect(HTTPDate.parse(date, now: 0) == Double(seconds))
    }
}
