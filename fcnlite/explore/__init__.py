"""See nets at work in the browser: `python -m fcnlite.explore`.

__main__    the command: options, the address, the browser
server      the server process: the page, and calls to worker processes; no net runs here
guard       what every request must have, and the headers that every response gets
worker      a worker process as the server sees it: calls with a limit on time and memory, restarts
serving     the same process from inside: takes calls, answers
messages    the form of calls and answers: JSON with arrays
inference/  the functions that the explorer calls, plain Python over the public API
playground/ those that the playground calls: a training in a thread, and what is seen of it
page/       the two pages: ES modules, SVG and canvas, without a build step
"""
