import uvicorn

uvicorn.run(app, port=80)
