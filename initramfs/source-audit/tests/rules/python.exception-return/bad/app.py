import fastapi


@router.get("/")
def f():
    try:
        g()
    except Exception as e:
        return {"error": f"{e}"}
