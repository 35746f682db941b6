axios.interceptors.request.use(f);
