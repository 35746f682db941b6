axios.get(url);
