exec /usr/bin/server -i any
