run > /dev/null 2>&1 < input
