exec python3 -m uvicorn --no-access-log app:app
