run | sort
# logger x
echo "logger"
