python3 manage.py migrate
