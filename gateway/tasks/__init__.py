"""Long work: asked for in a request, done by a provider in minutes, looked after by whichever machine is there."""
