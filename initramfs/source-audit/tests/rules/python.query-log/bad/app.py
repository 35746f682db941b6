from sqlalchemy import create_engine

e = create_engine("x", echo=True)
