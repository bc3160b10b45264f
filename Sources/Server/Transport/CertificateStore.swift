// The certificate of a server, which can be read again while it runs.

internal import Chat
internal import NIOCore
internal import NIOSSL
internal import Synchronization

final class CertificateStore: Sendable {
    private let files: CertificateFiles
    private let current: Mutex<NIOSSLContext>

    /// - Throws: `ServerFailure` for files that cannot be read or do not match.
    init(_ files: CertificateFiles) throws(ServerFailure) {
        self.files = files
        current = Mutex(try Self.context(files))
    }

    /// The certificate for the next connection.
    var context: NIOSSLContext { current.withLock { $0 } }

    /// Reads the files again. On an error the certificate in use stays.
    func reload() throws(ServerFailure) {
        let context = try Self.context(files)
        current.withLock { $0 = context }
    }

    private static func context(_ files: CertificateFiles) throws(ServerFailure) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(files.chain)
        } catch {
            throw ServerFailure(
                message: "certificate: no PEM certificates can be read from \"\(files.chain)\"; "
                    + "check that the file exists and is readable")
        }
        guard !chain.isEmpty else {
            throw ServerFailure(message: "certificate: \"\(files.chain)\" has no PEM certificate")
        }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: files.key, format: .pem)
        } catch {
            throw ServerFailure(
                message: "private key: no unencrypted PEM key can be read from \"\(files.key)\"; "
                    + "check that the file exists and is readable")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        configuration.shutdownTimeout = .seconds(2)
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw ServerFailure(
                message: "the private key \"\(files.key)\" does not belong to the certificate \"\(files.chain)\"")
        }
    }
}
