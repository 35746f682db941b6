from posthog import Posthog
