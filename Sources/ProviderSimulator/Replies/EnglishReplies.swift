// English texts, from which ReplyTheme chooses.

enum EnglishReplies {
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
            case .poem: "They want a poem, so rhythm matters more than facts. Four lines should do."
            case .joke: "They want to laugh. Keep it short, and end on the surprise."
            case .translation: "A translation must keep the tone as well as the words."
            case .summary: "A summary: find the one sentence that carries the rest, then two details."
            case .yesNo: "This wants a plain yes or no first, and the reason after it."
            case .greeting: "A greeting. Be warm and brief, and offer help."
            case .code: "They want code. A small example with one comment is better than a long one."
            case .explanation, .json: "Begin with the plain idea, then an image, then the limit of the image."
            }
        return [
            """
            Let me think about “\(subject)”. \(aim) I will check that nothing is claimed which I cannot \
            show. Good, now the answer.
            """,
            "The user asks about “\(subject)”. \(aim) First the outline, then the words. It fits in a few sentences.",
            "Okay, “\(subject)”. \(aim) Is there a trap in the question? I do not see one. So let me write it down.",
        ]
    }

    private static func poems(_ subject: String) -> [String] {
        [
            """
            The moon leans over \(subject) tonight,\nand pours its silver, drop by drop;\na little rill \
            takes up the light\nand carries it, and does not stop.
            """,
            """
            Of \(subject) the water sings,\nso quiet that the stones can hear;\nit knows a hundred \
            smaller springs,\nand each of them is very near.
            """,
            """
            Small stream, what do you know of \(subject)?\nOnly the way, the water said.\nThe moon \
            above, the pebbles by me,\nand all the sea is still ahead.
            """,
        ]
    }

    private static let jokes = [
        "Why did the token cross the stream? It was part of a longer sequence. 🌊",
        "A developer asked the model for a short answer. It replied: “Yes, and here are seven reasons why.” 😄",
        "I told my socket to hold that thought. It has been buffering ever since. 🙂",
    ]

    private static func translations(_ subject: String) -> [String] {
        [
            """
            Here is the translation:\n\n> 月光落在小溪上，水声轻轻地走远。\n\nThe original was “\(subject)”; the tone \
            is kept, the order of words is not.
            """,
            "Translation of “\(subject)”:\n\n> La lune se penche sur le ruisseau, et l’eau emporte sa lumière.",
        ]
    }

    private static func summaries(_ subject: String) -> [String] {
        [
            """
            In one sentence: \(subject) comes down to small steps taken in order.\n\n- The beginning \
            says what is wanted.\n- The middle shows how it is done.\n- The end says what it costs.
            """,
            """
            Summary of \(subject):\n\n1. One idea carries the rest.\n2. Two examples support it.\n3. \
            The open question is left to the reader.
            """,
        ]
    }

    private static func answers(_ subject: String) -> [String] {
        [
            "Yes. As far as “\(subject)” goes, nothing known speaks against it, and experience speaks for it.",
            "No. It looks that way at first, but “\(subject)” leaves out the case that decides it.",
        ]
    }

    private static let greetings = [
        "Hello! I am the offline model. Ask me for a poem, a joke, an explanation, a summary, or some JSON. 🌙",
        "Hi there! No network was harmed in the making of this reply. What shall we talk about?",
    ]

    private static let programs = [
        """
        Here is a small example:\n\n```lua\n-- prints each word as it arrives\nfor word in (\"moon on \
        the rill\"):gmatch(\"%a+\") do\n  print(word)\nend\n```\n\nIt reads one word at a time, so it \
        never holds more than it needs.
        """,
        """
        This does it:\n\n```lua\nlocal function sum(list)\n  local total = 0\n  for _, value in \
        ipairs(list) do total = total + value end\n  return total\nend\n```\n\nAn empty list gives 0.
        """,
    ]

    private static func explanations(_ subject: String) -> [String] {
        [
            """
            Think of \(subject) as a stream that starts from a single spring. Each part follows from \
            the one before it, and no part needs to know the whole. That is why it can be understood \
            piece by piece: take the first step, see what it changes, and only then look at the next. \
            Where the picture fails is at the edges, for a stream has banks and \(subject) does not always.
            """,
            """
            In short, \(subject) is a matter of order. Something small happens first; it makes the next \
            thing possible; and so on, until the result looks like one smooth motion. Slow it down and \
            you can count the steps. Speed it up and only the flow remains. 🌊
            """,
            """
            There are three things to know about \(subject).\n\n1. **What it is**: a simple rule, \
            applied again and again.\n2. **Why it works**: each step leaves the next one easier.\n3. \
            **Where it ends**: when there is nothing left that the rule would change.
            """,
        ]
    }
}
