"""What is wrong with an installation, and how to mend it.

Each examination is a function from the installation to findings; :data:`vigil.installation.doctor.examinations.ALL`
lists them. A finding names what was seen and what to do, in words for the person who runs the machine.
"""

from vigil.installation.doctor.finding import Finding, Level

__all__ = ["Finding", "Level"]
