// Paths of /generate_stream frames, as TGIDecoder reads them. FrameFieldsTests compares the two.

extension FrameFields {
    static let tgi = FrameFields([
        (.ignored, ["token{special=true}.text"]),
        (.text, ["token.text", "generated_text"]),
        (.native, ["top_tokens.**"]),
        (.usage, ["details.(generated_tokens|input_length)", "details.prefill.**"]),
        (.finish, ["details.finish_reason"]),
        (.error, ["error.**", "error_type"]),
        (
            .ignored,
            [
                "index", "token.(id|logprob|special)", "details.(seed|tokens|best_of_sequences|top_tokens).**",
            ]
        ),
    ])
}
