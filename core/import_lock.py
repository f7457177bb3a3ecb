"""One thread at a time imports the large libraries.

They import parts of each other late and in circles: two threads that do so at once can each hold what the other waits
for, and Python ends that with "deadlock detected". Whoever imports one of them where threads are about holds this lock.
"""

import threading

IMPORTING = threading.RLock()
