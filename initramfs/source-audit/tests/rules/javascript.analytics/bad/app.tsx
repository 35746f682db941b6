import posthog from "posthog-js";
