"""How the gateway carries much: long prompts, many streams, a long history, many calls."""
