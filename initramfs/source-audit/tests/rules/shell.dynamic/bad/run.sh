eval "$CODE"
