// Detects media types of images by their bytes, and encodes base64.

/// Detects types of images and encodes them.
package enum ImageData {
    /// The media types that providers accept (RFC 2046; https://www.iana.org/assignments/media-types).
    static let mediaTypes = ["image/png", "image/jpeg", "image/gif", "image/webp"]
    /// The types for error messages.
    package static let knownTypes = "PNG, JPEG, GIF or WebP"

    /// The media type of an image by its first bytes; nil for other data.
    package static func mediaType(_ bytes: some Collection<UInt8>) -> String? {
        let head = Array(bytes.prefix(12))
        if head.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return "image/png" }
        if head.starts(with: [0xFF, 0xD8, 0xFF]) { return "image/jpeg" }
        if head.starts(with: "GIF8".utf8) { return "image/gif" }
        if head.starts(with: "RIFF".utf8), head.dropFirst(8).starts(with: "WEBP".utf8) { return "image/webp" }
        return nil
    }

    /// The media type of an image in base64; nil for other data.
    static func mediaType(base64: String) -> String? {
        mediaType(decode(prefix: base64.utf8.prefix(16)))
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The bytes in base64, padded (RFC 4648 section 4).
    package static func base64(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var word: UInt32 = 0
            for byte in group { word = word << 8 | UInt32(byte) }
            word <<= UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                let isPadding = place > group.count
                out.append(isPadding ? UInt8(ascii: "=") : alphabet[Int(word >> UInt32(18 - 6 * place)) & 63])
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Decodes the beginning of a base64 text, up to a character outside the alphabet.
    private static func decode(prefix text: some Collection<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        var word: UInt32 = 0
        var bits = 0
        for letter in text {
            guard let value = alphabet.firstIndex(of: letter) else { break }
            word = word << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
            }
        }
        return out
    }
}
