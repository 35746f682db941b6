run | tee file
sudo -u nobody logger x
