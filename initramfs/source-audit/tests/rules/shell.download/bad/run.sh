curl -d "$DATA" example.org
