import uvicorn

uvicorn.run(app, access_log=False)
