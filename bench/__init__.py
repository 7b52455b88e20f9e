"""How fast the gateway is: beside other gateways (`make bench`), and with much on its hands (`make bench-scale`).

Programs of our own in C play the provider and the clients, so that two cores are enough for all three; they are
compiled when they are first used. What is found is printed and written to `RESULTS.md`; docs/performance.md says what
it means. Nothing of the gateway imports this.
"""
