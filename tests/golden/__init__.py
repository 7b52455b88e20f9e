"""Goldens: what each pair of client and provider makes of a situation, in our own words.

A folder is a situation. Its inputs are written by hand, as the vendors' documentation has them:

    asked.<dialect>.json   the question as a client of that dialect writes it; no file where it has no words for it
    said.<dialect>.json    a provider's whole answer in that dialect; said.<dialect>.sse the same as a stream
    models.json            models upstream, where the situation is about others than `pairs.MODELS`

`<in>__<out>.json` is what the gateway makes of them for a client of <in> and a provider of <out>:

    upstream   the body that goes up          losses   what `x-gateway-losses` tells
    refused    instead of these: the caller's own field that <out> cannot be told
    reply      the whole answer that the client gets
    stream     its events: an object, or [event name, object] where the dialect names events; [DONE] as it is

A situation without questions is about the answer alone: the client has said hi. One without answers is about the
question. Ids that the gateway makes are `<id>` or `<id 1>`, `<id 2>`… in the order in which they turn up, the time of the
call is `<time>`; all other bytes are the provider's or the client's own. The `response` of a Responses event shows what
differs from `reply`, else from the response that the stream began with.

Between equal dialects there is no file: the test holds the bytes against the inputs, in which but model and id may
change. The exceptions have one, since more than bytes goes on there: a question that holds another maker's seal, and a
stream that ends badly.

`python -m tests.golden [situation …]` writes these files from the present code. Read the diff against the wire facts before
you commit it: a golden that freezes a fault is worse than none.
"""
