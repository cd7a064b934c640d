"""bingli: quality control and cited drafting for inpatient medical records."""

import logging

# What goes wrong inside reaches a user as a sentence, never as a log line; a service adds its own handler.
logging.getLogger(__name__).addHandler(logging.NullHandler())
