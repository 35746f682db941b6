import heapq

heapq.heapify([])
