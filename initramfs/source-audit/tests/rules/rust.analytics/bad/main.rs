use posthog_rs::client;
