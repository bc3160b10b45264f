---@meta llm.flow
-- Annotations of llm.flow, llm.budget, llm.prices and llm.chat for the Lua language server. Never executed.

---@alias llm.step fun(value: any): any, any a step of a chain: value -> value | nil, err

---@class llm.errors: { [integer]: any } the errors of a map with keep_going by index; the errors of nested maps are tables at their index

---map, judge, reduce and scan run immediately; the others return a step. A combinator returns all results of the step
---that made its value, so the errors of map { keep_going } are its second result too.
---@class llm.flow when a combinator ends, all requests and tasks that were started inside it are over
local flow = {}

---Runs the steps in order; each gets all results of the one before.
---@param ... llm.step
---@return llm.step
function flow.seq(...) end

---@param steps table<any, llm.step> run concurrently, each with the same value
---@return fun(value: any): table<any, any>?, llm.error|table<any, llm.errors>|nil the second is nil if nothing failed
function flow.all(steps) end

---@param condition fun(value: any): boolean
---@param a llm.step
---@param b? llm.step without it the value is returned unchanged
---@return llm.step
function flow.branch(condition, a, b) end

---@param steps llm.step[] run concurrently; the first success wins, and the others are cancelled
---@return llm.step
function flow.race(steps) end

---@param a llm.step
---@param b llm.step started too if a failed, or gave no token in time
---@param options? { after?: number } seconds (2)
---@return llm.step
function flow.hedge(a, b, options) end

---@param steps llm.step[] the next one runs if one fails
---@param options? { chars?: integer, seconds?: number } how much output is held back, so that a step that fails is replaced before its output is shown
---@return llm.step
function flow.fallback(steps, options) end

---@async
---@param items any[]
---@param options { client: llm.client, rubric?: string, options?: llm.request_options }
---@return any item the best one in the model's judgement
---@return any err
---@return { best: integer, reason: string }? verdict
function flow.judge(items, options) end

---@param step fun(value: any, try: integer): any, any
---@param options? { max?: integer, base?: number, cap?: number, on?: fun(err: any, try: integer): boolean } further tries (3), seconds of the first wait (0.5) and of the longest (30), whether to try again
---@return llm.step
function flow.retry(step, options) end

---@param seconds number
---@param step llm.step
---@return llm.step fails with kind "timeout" if it takes longer
function flow.timeout(seconds, step) end

---@class llm.map_options
---@field limit? integer concurrent items (8)
---@field on_progress? fun(done: integer, total: integer)
---@field ordered? boolean results in the order of the items (true), or in the order of completion
---@field keep_going? boolean whether the others continue after a failure (false); errors are then the second result, an empty table if nothing failed. As a step, results[i] is false for a failed item, and if every item failed the step returns nil and the first error

---@async
---@param items any[]
---@param step fun(item: any, index: integer): any, any
---@param options? llm.map_options
---@return any[]? results
---@return llm.error|llm.errors|nil err with keep_going: the errors by index
---@overload fun(step: fun(item: any, index: integer): any, any, options?: llm.map_options): llm.step
function flow.map(items, step, options) end

---@param step fun(value: any, number: integer): any, any
---@param options? { n?: integer, key?: fun(answer: any): any, early?: boolean } answers (5), the key that they are compared by, whether to stop once the majority is decided (true)
---@return fun(value: any): any, any, table<any, integer> the most frequent answer; the votes by key are the third result
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
---@return any[]? values every intermediate value
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
---@field tokens integer input and output tokens spent so far
---@field usd number spent so far
---@field spent boolean whether the cap was reached
---@overload fun(step: function, ...): any, any
local budget = {}

---@async
---@param step function every request inside counts, also those of tasks and combinators
---@param ... any its arguments
---@return any value all results of the step
---@return any err of kind "budget" whenever the cap was reached, whatever the step did with the errors; err.partial and err.errors are its results, err.others its own error
function budget:run(step, ...) end

---@class llm.price US dollars for a million tokens
---@field input number
---@field output number
---@field cached_input? number for tokens from the provider's cache (the price of input)
---@field cache_write? number for tokens written to the cache (the price of input)
---@field date? string when it was read
---@field source? string the page it was read from

---@class llm.chat a conversation that keeps its messages
local chat = {}

---@async
---@param prompt string|llm.reply|llm.message|llm.message[]|(string|llm.part)[]
---@param options? llm.request_options
---@return llm.reply? reply kept once it is complete
---@return llm.error err if reply is nil; the conversation is unchanged. Kind "invalid_request" while a deferred call has no result
function chat:send(prompt, options) end

---@return llm.chat chat an independent copy, with its options
function chat:fork() end

---@return llm.message[]
function chat:messages() end

---Writes the file atomically. An existing file keeps its mode, and links are followed.
---@param path string
---@return true?
---@return llm.error?
function chat:save(path) end

---@param path string a file that save wrote; its messages replace the current ones
---@return true?
---@return llm.error? err the conversation is unchanged
function chat:load(path) end

---@param options { max_tokens: integer } by estimate
---@return integer messages removed, in whole exchanges, the oldest first
function chat:trim(options) end

return flow
