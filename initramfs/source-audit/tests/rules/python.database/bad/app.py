Record.objects.create(text=t)
