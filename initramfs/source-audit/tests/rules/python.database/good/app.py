Record.objects.count()
