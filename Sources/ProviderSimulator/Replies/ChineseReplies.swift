// Chinese texts, from which ReplyTheme chooses.

enum ChineseReplies {
    static func texts(_ kind: ReplyTheme.Kind, _ subject: String) -> [String] {
        switch kind {
        case .poem: poems(subject)
        case .joke: jokes
        case .translation: translations(subject)
        case .summary: summaries(subject)
        case .yesNo: answers(subject)
        case .greeting: greetings
        case .code: programs
        case .explanation, .json: explanations(subject)
        }
    }

    static func thoughts(_ kind: ReplyTheme.Kind, _ subject: String) -> [String] {
        let aim =
            switch kind {
            case .poem: "要写诗，节奏比事实重要，四句就够了。"
            case .joke: "要让人笑，短一点，把意外留在最后。"
            case .translation: "翻译不仅要译词，还要留住语气。"
            case .summary: "先找到撑起全文的那一句，再补两个细节。"
            case .yesNo: "先明确说是或否，再给理由。"
            case .greeting: "这是问候，热情而简短地回应就好。"
            case .code: "要代码，一个小例子加一句注释胜过长篇。"
            case .explanation, .json: "先说最朴素的想法，再打个比方，最后说明比方的边界。"
            }
        return [
            "让我想一想「\(subject)」。\(aim)不能说没有根据的话。好，现在可以回答了。",
            "用户问的是「\(subject)」。\(aim)先列提纲，再落笔，几句话就能说清。",
            "嗯，「\(subject)」。\(aim)问题里有陷阱吗？看来没有，那就写下来吧。",
        ]
    }

    private static func poems(_ subject: String) -> [String] {
        [
            "月照\(subject)夜未央，\n一溪流水带清光。\n石边小草听风语，\n直送银辉到远方。",
            "小溪不知\(subject)，\n只把月光轻轻收起；\n一滴，一滴，\n走到海里才想起自己。",
        ]
    }

    private static let jokes = [
        "为什么词元要过河？因为它是一个更长序列的一部分。🌊",
        "程序员让模型答得短一点，模型说：“好的，理由有以下七条。”😄",
        "我让套接字先等一等，它到现在还在缓冲。🙂",
    ]

    private static func translations(_ subject: String) -> [String] {
        [
            """
            译文如下：\n\n> The moon leans over the rill, and the water carries its light \
            away.\n\n原文是「\(subject)」，语气保留，语序有所调整。
            """,
            "「\(subject)」可译为：\n\n> Moonlight on a small stream, walking slowly out of sight.",
        ]
    }

    private static func summaries(_ subject: String) -> [String] {
        [
            "一句话：\(subject)就是按次序走好每一小步。\n\n- 开头说明要什么。\n- 中间说明怎么做。\n- 结尾说明代价。",
            "\(subject)的要点：\n\n1. 一个想法撑起全部。\n2. 两个例子支持它。\n3. 剩下的问题留给读者。",
        ]
    }

    private static func answers(_ subject: String) -> [String] {
        [
            "是的。就「\(subject)」而言，没有已知的反例，经验也支持它。",
            "不是。乍看如此，但「\(subject)」忽略了起决定作用的那种情况。",
        ]
    }

    private static let greetings = [
        "你好！我是离线模型。可以让我写诗、讲笑话、作解释、写摘要，或者输出 JSON。🌙",
        "你好呀！这条回复没有用到任何网络。我们聊点什么？",
    ]

    private static let programs = [
        """
        这里有一个小例子：\n\n```lua\n-- 逐词打印\nfor word in (\"moon on the rill\"):gmatch(\"%a+\") do\n  \
        print(word)\nend\n```\n\n它一次只读一个词，所以占用很少的内存。
        """,
        """
        这样写就可以：\n\n```lua\nlocal function sum(list)\n  local total = 0\n  for _, value in ipairs(list) \
        do total = total + value end\n  return total\nend\n```\n\n空列表得到 0。
        """,
    ]

    private static func explanations(_ subject: String) -> [String] {
        [
            """
            可以把\(subject)想成一条从泉眼流出的小溪：每一段都来自前一段，没有哪一段需要知道全程。因此可以一点一点地理解它：先走第一步，看它改变了什么，再看下一步。\
            这个比方在边缘处会失效，因为溪有两岸，而\(subject)不一定有。
            """,
            "简单地说，\(subject)讲的是次序。先发生一件小事，它使下一件事成为可能，如此继续，直到结果看起来像一个连贯的动作。放慢了看，可以数清每一步；加快了看，只剩下流动。🌊",
            """
            关于\(subject)，有三点值得知道。\n\n1. **是什么**：一条简单的规则，反复使用。\n2. **为什么有效**：每一步都让下一步更容易。\n3. \
            **到哪里为止**：直到规则不再改变任何东西。
            """,
        ]
    }
}
