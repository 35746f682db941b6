use post::client;
