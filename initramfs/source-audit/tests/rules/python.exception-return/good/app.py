import fastapi


@router.get("/")
def f():
    try:
        g()
    except Exception:
        return {"error": "failed"}
