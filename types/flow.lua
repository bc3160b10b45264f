---@meta llm.flow
-- Annotations of llm.flow, llm.budget and llm.prices. Nothing here runs.

---@alias llm.step fun(value: any): any, any a step of a chain: value -> value | nil, err

---@class llm.errors: { [integer]: any } the errors of a map with keep_going by index; those of maps inside by their place

---map, judge, reduce and scan work on their items at once; the others return a step. A combinator returns all results of
---the step that made its value, so that the errors of map { keep_going } are its second result too.
---@class llm.flow every combinator ends, when it is left in any way, whatever was begun inside
local flow = {}

---One after the other; each step gets all that the one before returned.
---@param ... llm.step
---@return llm.step
function flow.seq(...) end

---@param steps table<any, llm.step> all at once, each with the same value
---@return fun(value: any): table<any, any>?, llm.error|table<any, llm.errors>|nil nil as the second where nothing failed
function flow.all(steps) end

---@param condition fun(value: any): boolean
---@param a llm.step
---@param b? llm.step without it the value passes
---@return llm.step
function flow.branch(condition, a, b) end

---@param steps llm.step[] all at once; the first success wins, and the others are cancelled
---@return llm.step
function flow.race(steps) end

---@param a llm.step
---@param b llm.step begun too where a failed, or brought no token in time
---@param options? { after?: number } seconds (2)
---@return llm.step
function flow.hedge(a, b, options) end

---@param steps llm.step[] the next one where one fails
---@param options? { chars?: integer, seconds?: number } how much is held back, so that a step that fails is replaced unseen
---@return llm.step
function flow.fallback(steps, options) end

---@async
---@param items any[]
---@param options { client: llm.client, rubric?: string, options?: llm.request_options }
---@return any item the one the model finds best
---@return any err
---@return { best: integer, reason: string }? verdict
function flow.judge(items, options) end

---@param step fun(value: any, try: integer): any, any
---@param options? { max?: integer, base?: number, cap?: number, on?: fun(err: any, try: integer): boolean } tries more (3), seconds of the first wait (0.5) and of the longest (30), and whether to try again
---@return llm.step
function flow.retry(step, options) end

---@param seconds number
---@param step llm.step
---@return llm.step an error of kind "timeout" where it takes longer
function flow.timeout(seconds, step) end

---@class llm.map_options
---@field limit? integer items at once (8)
---@field on_progress? fun(done: integer, total: integer)
---@field ordered? boolean results in the order of the items (true), or as they come
---@field keep_going? boolean whether the others go on where one fails (false); errors are the second result then, an empty table where nothing failed. As a step, results[i] is false for a failed item, and where every item failed the step returns nil and the first error

---@async
---@param items any[]
---@param step fun(item: any, index: integer): any, any
---@param options? llm.map_options
---@return any[]? results
---@return llm.error|llm.errors|nil err with keep_going: the errors by index, none where nothing failed
---@overload fun(step: fun(item: any, index: integer): any, any, options?: llm.map_options): llm.step
function flow.map(items, step, options) end

---@param step fun(value: any, number: integer): any, any
---@param options? { n?: integer, key?: fun(answer: any): any, early?: boolean } answers (5), what they are compared by, and whether to stop once the majority is decided (true)
---@return fun(value: any): any, any, table<any, integer> the answer most agree on; the votes by key are the third result
function flow.vote(step, options) end

---@async
---@param items any[]
---@param step fun(value: any, item: any, index: integer): any, any
---@param start any
---@return any value
---@return any err
function flow.reduce(items, step, start) end

---@async
---@param items any[]
---@param step fun(value: any, item: any, index: integer): any, any
---@param start any
---@return any[]? values every value on the way
---@return any err
function flow.scan(items, step, start) end

---@param step fun(value: any, round: integer): any, any
---@param options { stop_when?: fun(value: any, round: integer): boolean, max?: integer }
---@return llm.step
function flow.loop(step, options) end

---@param step fun(input: any, draft: any, critique: any): any, any
---@param options { critic: fun(draft: any, input: any): any, any, rounds?: integer } rounds: 2
---@return llm.step
function flow.refine(step, options) end

---@class llm.budget
---@field tokens integer spent so far, in and out
---@field usd number spent so far
---@field spent boolean whether the cap was reached
---@overload fun(step: function, ...): any, any
local budget = {}

---@async
---@param step function whatever is asked inside counts, by tasks and combinators too
---@param ... any its arguments
---@return any value all results of the step
---@return any err of kind "budget" whenever the cap was reached, whatever the step made of the errors; err.partial and err.errors are what it returned, err.others its own error
function budget:run(step, ...) end

---@class llm.price US dollars for a million tokens
---@field input number
---@field output number
---@field cached_input? number for what comes from the provider's cache (input)
---@field cache_write? number for what is put there (input)
---@field date? string when it was read
---@field source? string where

---@class llm.chat a conversation that remembers
local chat = {}

---@async
---@param prompt string|llm.reply|llm.message|llm.message[]|(string|llm.part)[]
---@param options? llm.request_options
---@return llm.reply? reply remembered once it is whole
---@return llm.error err if reply is nil; the conversation is unchanged. Kind "invalid_request" while a deferred call has no result
function chat:send(prompt, options) end

---@return llm.chat chat one of its own, options too, that begins with what was said so far
function chat:fork() end

---@return llm.message[]
function chat:messages() end

---Writes a file whole or not at all: it keeps the mode of one that is there, and follows links.
---@param path string
---@return true?
---@return llm.error?
function chat:save(path) end

---@param path string of a file that save wrote; its messages take the place of those here
---@return true?
---@return llm.error? err nothing has changed
function chat:load(path) end

---@param options { max_tokens: integer } by estimate
---@return integer messages that were forgotten, in whole exchanges, the oldest first
function chat:trim(options) end

return flow
