// The kind of text that a prompt asks for, and the text. Chinese if the prompt has Chinese characters, else English. Used
// by ReplyGenerator.

internal import JSON

struct ReplyTheme {
    private let prompt: SimulatedPrompt
    private let choice: UInt64
    private let isChinese: Bool
    private let kind: Kind
    /// The subject in a few words.
    let subject: String

    enum Kind: CaseIterable { case json, translation, summary, poem, joke, code, greeting, yesNo, explanation }

    init(prompt: SimulatedPrompt, choice: UInt64) {
        self.prompt = prompt
        self.choice = choice
        // Instructions are at the ends of a long prompt.
        let question = prompt.question.trimmed
        let sample =
            question.utf8.count > 4_000 ? String(question.prefix(500)) + String(question.suffix(500)) : question
        isChinese = sample.containsHan
        kind = Self.kind(of: sample.lowercased(), format: prompt.format)
        subject = Self.subject(of: sample, isChinese: isChinese)
    }

    private static let words: [(Kind, [String])] = [
        (.translation, ["translat", "翻译", "译成"]),
        (.summary, ["summar", "tl;dr", "总结", "摘要", "概括"]),
        (.poem, ["poem", "haiku", "verse", "sonnet", "诗", "俳句"]),
        (.joke, ["joke", "funny", "make me laugh", "笑话", "段子"]),
        (.code, ["code", "function that", "script that", "program", "代码", "程序", "函数"]),
    ]

    private static func kind(of text: String, format: SimulatedPrompt.Format) -> Kind {
        if case .text = format {} else { return .json }
        for (kind, words) in words where words.contains(where: { text.contains($0) }) { return kind }
        let first = text.split { !$0.isLetter }.first.map(String.init) ?? ""
        if ["hi", "hello", "hey", "good"].contains(first) || text.hasPrefix("你好") || text.isEmpty { return .greeting }
        let asks = ["is", "are", "do", "does", "did", "can", "could", "should", "will", "would", "was", "has", "have"]
        if asks.contains(first) || text.contains("yes or no") || text.contains("是否") || text.hasSuffix("吗")
            || text.hasSuffix("吗？") || text.hasSuffix("吗?")
        {
            return .yesNo
        }
        return .explanation
    }

    private static let openings = [
        "please", "could you", "can you", "explain", "describe", "tell me about", "tell me", "write", "what is",
        "what are",
        "why is", "why are", "why", "how does", "how do", "how", "give me", "summarize", "summarise", "translate",
        "a short",
        "a joke", "a poem", "an", "a", "the", "about", "of", "请", "帮我", "给我", "解释一下", "解释", "什么是", "为什么", "介绍一下",
        "介绍", "说说", "写一首", "写一个", "讲一个", "总结一下", "总结", "翻译", "关于", "：", ":",
    ]
    private static let endings = ["的诗", "的笑话", "是什么", "的代码", "吗", "呢", "？", "?", "。", ".", "!", "！"]

    /// The prompt without the words of command around its subject.
    private static func subject(of text: String, isChinese: Bool) -> String {
        var rest = text.shortened(to: 60)
        if let about = rest.range(of: " about ") { rest = String(rest[about]) }
        var again = true
        while again, rest.count > 1 {
            again = false
            for word in openings where rest.lowercased().hasPrefix(word) {
                let tail = rest.dropFirst(word.count)
                // The opening must end at a word boundary in English.
                guard !(word.last?.isASCII ?? false) || tail.first?.isLetter != true, !tail.isEmpty else { continue }
                rest = String(tail).trimmed
                again = true
            }
            for word in endings where rest.hasSuffix(word) && rest.count > word.count {
                rest = String(rest.dropLast(word.count)).trimmed
                again = true
            }
        }
        let short = rest.shortened(to: isChinese ? 18 : 40)
        return short.isEmpty ? (isChinese ? "这件事" : "this") : short
    }

    /// The visible answer.
    func text() -> String {
        if case .json = kind { return json() }
        if !prompt.toolResults.isEmpty { return toolAnswer() }
        return memory() + body()
    }

    private func body() -> String {
        let variants = isChinese ? ChineseReplies.texts(kind, subject) : EnglishReplies.texts(kind, subject)
        let question = prompt.question.shortened(to: 500).lowercased()
        // The language that the prompt names.
        if case .translation = kind, !isChinese { return variants[question.contains("chinese") ? 0 : 1] }
        return variants[Int(choice >> 8 % UInt64(variants.count))]
    }

    /// A sentence that refers to the last question.
    private func memory() -> String {
        guard let last = prompt.earlierQuestions.last?.shortened(to: isChinese ? 16 : 36), !last.isEmpty else {
            return ""
        }
        let turn = prompt.earlierQuestions.count + 1
        return isChinese
            ? "（第 \(turn) 轮）接着你刚才说的「\(last)」。" : "(Turn \(turn)) Going on from “\(last)”: "
    }

    private func toolAnswer() -> String {
        let results = prompt.toolResults.map { $0.shortened(to: 400) }
        return isChinese
            ? "工具返回：\(results.joined(separator: "；"))。据此，关于「\(subject)」就有了答案。"
            : "The tool answered: \(results.joined(separator: "; ")). That settles “\(subject)”."
    }

    private func json() -> String {
        switch prompt.format {
        case .schema(let schema):
            return JSONWriter.text(SchemaSampler(root: schema, subject: subject, hint: prompt.question).value())
        case .object, .text:
            let answer = isChinese ? "月光照在小溪上。" : "The moon shines on the rill."
            let object: JSONValue = [
                "topic": .string(subject), "answer": .string(answer), "language": isChinese ? "zh" : "en",
                "confidence": 0.9, "tags": isChinese ? ["月亮", "溪流"] : ["moon", "rill"],
            ]
            return JSONWriter.text(object)
        }
    }

    /// The reasoning before the text.
    func reasoning() -> String {
        let variants = isChinese ? ChineseReplies.thoughts(kind, subject) : EnglishReplies.thoughts(kind, subject)
        return variants[Int(choice >> 16 % UInt64(variants.count))]
    }

    /// The reasoning before tool calls.
    func reasoning(before tools: [String]) -> String {
        let names = tools.joined(separator: isChinese ? "、" : ", ")
        return isChinese
            ? "用户想知道「\(subject)」。我自己不知道答案，应该调用 \(names)，参数从问题里取。"
            : "The user wants to know about “\(subject)”. I cannot know that by myself, so I call \(names) "
                + "with what the question gives."
    }
}

extension String {
    /// The range after the first occurrence of `needle`.
    fileprivate func range(of needle: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            let tail = self[start...]
            if tail.hasPrefix(needle) { return index(start, offsetBy: needle.count)..<endIndex }
            start = index(after: start)
        }
        return nil
    }
}
