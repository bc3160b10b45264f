-- Messages of llm.serve about wrong options, routes, models and results.
local llm = require "llm"
local function f() end

--# options
--: each_line = true
llm.serve() --! llm.serve
llm.serve {} --! llm.serve needs routes or models
llm.serve { routes = {}, models = {} } --! llm.serve needs routes or models
llm.serve { rotues = {} } --! did you mean
llm.serve { port = 70000, routes = { ["GET /"] = f } } --! option 'port' must be between 0 and 65535, not 70000
llm.serve { port = "x", routes = { ["GET /"] = f } } --! port
llm.serve { tls_cert = "x", routes = { ["GET /"] = f } } --! tls_cert and tls_key belong together
llm.serve { routes = { ["GET /"] = f }, limit = { rpm = 1 } } --! rpm
llm.serve { routes = { ["GET /"] = f }, limit = { per_client_rpm = 0 } } --! per_client_rpm must be a number above 0, not 0
llm.serve { routes = { ["GET /"] = f }, limit = { concurrent = 0 } } --! concurrent must be 1 or more
llm.serve { routes = { ["GET /"] = f }, budget = { dollars = 1 } } --! dollars
llm.serve { routes = { ["GET /"] = f }, on_start = 1 } --! on_start

--# routes
--: each_line = true
llm.serve { routes = { ["/"] = f } } --! the route "/" must be a method and a path
llm.serve { routes = { ["FETCH /"] = f } } --! the route "FETCH /" has no method; known: GET
llm.serve { routes = { ["GET a"] = f } } --! has a path that does not begin with /
llm.serve { routes = { ["GET /*/a"] = f } } --! has a * that is not at its end
llm.serve { routes = { ["GET /:a/:a"] = f } } --! has a parameter without a name of its own
llm.serve { routes = { f } } --! routes and models are named; there is a value at 1
llm.serve { routes = { ["GET /"] = 42 } } --! the route "GET /" needs a function, llm.serve.page or llm.serve.files, not
llm.serve { routes = { ["GET /a"] = llm.serve.files "/tmp" } } --! needs a GET route that ends with *
llm.serve { routes = { ["POST /*"] = llm.serve.files "/tmp" } } --! needs a GET route that ends with *
llm.serve { routes = { ["GET /*"] = llm.serve.files "/nonexistent" } } --! there is no folder /nonexistent
llm.serve.files(1) --! llm.serve.files takes the path of a folder, not
llm.serve.page { titel = "x" } --! did you mean
llm.serve.page { title = 1 } --! title

--# models
--: each_line = true
llm.serve { models = { m = 42 } } --! the model 'm' needs a function or a client, not
llm.serve { models = { f } } --! routes and models are named
llm.serve { models = { m = f }, default_model = "n" } --! default_model = "n" is none of the models

--# names and values of events
local web = require "web"
web.serve({ routes = {
  ["GET /a"] = function(_, response)
    for _, name in ipairs { "error", "open", "start", "finish", "failure", "lost", "reset", "retry" } do
      print(select(2, pcall(response.event, response, name, 1)))
      --> ...: response:event: the name 'error' is taken; choose another
      --> ...: response:event: the name 'open' is taken; choose another
      --> ...: response:event: the name 'start' is taken; choose another
      --> ...: response:event: the name 'finish' is taken; choose another
      --> ...: response:event: the name 'failure' is taken; choose another
      --> ...: response:event: the name 'lost' is taken; choose another
      --> ...: response:event: the name 'reset' is taken; choose another
      --> ...: response:event: the name 'retry' is taken; choose another
    end
    print(select(2, pcall(response.event, response, "a\1b", 1))) --> @here: response:event takes a name of at most 100 bytes of UTF-8 without line breaks, not ...
    print(select(2, pcall(response.event, response, "", 1))) --> @here: response:event takes a name of at most 100 bytes of UTF-8 without line breaks, not ...
    print(select(2, pcall(response.event, "a", 1))) --> @here: response:event is a method: write response:event(...)
    print(select(2, pcall(response.token, response, 1))) --> @here: response:token takes a string, not ...
    print(select(2, pcall(response.event, response, "e", f))) --> ...
  end,
} }, function(server) print((web.get(server, "/a"))) end) --> 204

--# a response is of no use after its request
local web = require "web"
local kept
web.serve({ routes = { ["GET /a"] = function(_, response) kept = response return "x" end } }, function(server)
  print((web.get(server, "/a"))) --> 200
  kept:token "late"
  kept:event("late", 1)
  print "ignored" --> ignored
end)
