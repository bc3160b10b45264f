// The exchange of a file: reads pieces on another thread, as fast as the client takes them.

internal import Chat
internal import HTTP
internal import NIOCore

final class FileExchange: ServerExchange {
    private enum Phase {
        case opening
        /// A piece is being read or written.
        case reading(FileContent)
        /// The client is behind with reading.
        case blocked(FileContent)
        case over
    }

    private let asked: Asked
    private let writer: any ResponseWriter
    private let core: ServerCore
    private var phase = Phase.opening
    private var status = 200
    private var sentBytes = 0

    init(_ asked: Asked, _ writer: any ResponseWriter, _ core: ServerCore) {
        self.asked = asked
        self.writer = writer
        self.core = core
    }

    func start(_ request: FileRequest, _ service: FileService) {
        core.surroundings.blocking.run({ service.answer(request) }) { answer in
            guard case .opening = self.phase else { return }
            self.begin(answer ?? FileAnswer(response: ServedResponse(status: 503)), isHead: request.isHead)
        }
    }

    // MARK: ServerExchange

    func clientIsGone() { finish(status: 499) }

    func writabilityChanged() {
        guard writer.isWritable, case .blocked(let content) = phase else { return }
        readNext(content)
    }

    // MARK: Response

    private func begin(_ answer: FileAnswer, isHead: Bool) {
        var response = asked.finished(answer.response)
        status = response.status
        guard let content = answer.content else {
            sentBytes = response.body.count
            finish(status: status)
            return writer.respond(response)
        }
        response.headers["content-length"] = String(content.count)
        writer.begin(status: status, headers: response.headers)
        guard isHead else { return readNext(content) }
        finish(status: status)
        writer.end()
    }

    private func readNext(_ content: FileContent) {
        phase = .reading(content)
        let offset = sentBytes
        core.surroundings.blocking.run({ content.piece(at: offset) }) { piece in
            guard case .reading = self.phase else { return }
            self.send(piece ?? nil, content)
        }
    }

    /// - Parameter piece: nil if the file cannot be read any more.
    private func send(_ piece: [UInt8]?, _ content: FileContent) {
        guard let piece else {
            finish(status: status)
            return writer.abort()
        }
        sentBytes += piece.count
        writer.write(ByteBuffer(bytes: piece))
        // The write may have found that the client is gone.
        guard case .reading = phase else { return }
        if sentBytes == content.count {
            finish(status: status)
            writer.end()
        } else if writer.isWritable {
            readNext(content)
        } else {
            phase = .blocked(content)
        }
    }

    private func finish(status: Int) {
        if case .over = phase { return }
        phase = .over
        core.log(asked, status: status, bytes: sentBytes)
    }
}
