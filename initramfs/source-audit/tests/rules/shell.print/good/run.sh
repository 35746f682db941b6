echo "started"
