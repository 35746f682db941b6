run 2>> /var/log/app
