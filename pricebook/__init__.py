"""Makes `gateway/book/models.jsonl` from published data: `make pricebook`. The gateway never imports this; it reads
the book before and after through `gateway.book`.

Two packages of other people's reading of the vendors' pages come together here: genai-prices (curated, fewer facts) and
litellm (of which only its table is read; more facts, tiers and units). `corrections` has what both lack or get wrong, a
source and a day to each row. `names` decides which names mean one model. What the sources disagree about, and what was
left out, is printed, never hidden.

    sources       which packages, of which day        read_genai, read_litellm  their rows as `entry.Entry`
    corrections   our own rows                        names                     a provider's name → `author/model`
    merge         entries → models with offers        write                     lines, and what changed against the old
"""
