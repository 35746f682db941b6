evaluate "$CODE"
