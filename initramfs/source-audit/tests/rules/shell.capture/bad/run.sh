exec /usr/bin/tcpdump -i any
