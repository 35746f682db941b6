echo "request from $REMOTE_ADDR"
