// The certificates that the system trusts, as files by hash.

internal import Base
internal import CCurl
internal import Glibc

/// OpenSSL looks single files of a folder up by hash, while it reads a bundle whole: 20 ms of CPU for the first connection.
enum SystemCertificates {
    /// curl's default folder of certificates, with links named by hash (openssl-rehash(1)); nil unless it has as many as
    /// curl's default bundle. A system may keep a bundle alone, and certificates may have been added to the bundle alone.
    static let folder: String? = {
        guard let info = unsafe ccurl_version_info(), let folder = unsafe text(info.pointee.capath) else {
            return nil
        }
        guard let bundle = unsafe text(info.pointee.cainfo) else { return folder }
        let linked = linkCount(in: folder)
        return linked > 0 && linked >= certificateCount(in: bundle) ? folder : nil
    }()

    @unsafe private static func text(_ pointer: UnsafePointer<CChar>?) -> String? {
        guard let pointer = unsafe pointer else { return nil }
        return unsafe String(cString: pointer)
    }

    /// The number of entries "HHHHHHHH.N" with eight hexadecimal digits.
    static func linkCount(in folder: String) -> Int {
        guard let directory = unsafe opendir(folder) else { return 0 }
        defer { unsafe closedir(directory) }
        var count = 0
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe Array(bytes.prefix { $0 != 0 })
            }
            guard name.count > 9, name[8] == UInt8(ascii: ".") else { continue }
            let isHash = name[..<8].allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
            if isHash, name[9...].allSatisfy({ (0x30...0x39).contains($0) }) { count += 1 }
        }
        return count
    }

    /// The number of certificates in a PEM file (RFC 7468); `Int.max` if it cannot be read.
    static func certificateCount(in file: String) -> Int {
        let descriptor = unsafe open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .max }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_size > 0, status.st_size < 64 << 20 else { return .max }
        let size = Int(status.st_size)
        guard let map = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), unsafe map != MAP_FAILED else {
            return .max
        }
        defer { unsafe munmap(map, size) }
        let bytes = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(start: map, count: size))
        var count = bytes.hasPrefix("-----BEGIN CERTIFICATE-----") ? 1 : 0
        var place = 0
        while let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: place) {
            place = end + 1
            if bytes.hasPrefix("-----BEGIN CERTIFICATE-----", from: place) { count += 1 }
        }
        return count
    }
}
