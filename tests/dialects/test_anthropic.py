from gateway.call import Channel, Leg


def leg(model: str = "claude-sonnet-4-5") -> Leg:
    channel = Channel(
        id="c",
        name="c",
        provider="anthropic",
        namespace="anthropic",
        base_url="http://x",
        secret=None,
        models=None,
        dialects=("messages",),
        priority=0,
        weight=1,
        free=True,
    )
    return Leg(channel=channel, model=model, dialect="messages")
